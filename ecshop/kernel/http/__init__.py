"""All that knows Litestar or httpx: both ends of a request."""
