# One image; its argument is the role: up, serve auth, serve product, serve stock, serve order, worker, migrate, gateway ...
ARG BASE=docker.io/library/python:3.13-slim-bookworm

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python3 -m venv /opt/build && python3 -m venv --without-pip /opt/ecshop
WORKDIR /src
COPY requirements.txt ./
COPY deploy/requirements.txt ./deploy/
# What is built with is pinned too, and stays behind in this stage.
RUN sed -n '/^setuptools==/,/[^\\]$/p' requirements.txt >build.txt \
    && /opt/build/bin/pip install --quiet --require-hashes -r build.txt \
    && /opt/build/bin/pip --python /opt/ecshop install --quiet --require-hashes -r deploy/requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY ecshop ./ecshop
COPY entrypoints ./entrypoints
RUN /opt/build/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist . \
    && /opt/build/bin/pip --python /opt/ecshop install --quiet --no-deps dist/*.whl

FROM ${BASE}
ENV PATH=/opt/ecshop/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    ECSHOP_HOST=0.0.0.0 ECSHOP_DATA_DIR=/data
COPY --from=build /opt/ecshop /opt/ecshop
RUN install --directory --mode 0700 --owner 10001 --group 10001 /data
USER 10001:10001
VOLUME /data
EXPOSE 8000
# Of servers; a role without HTTP is started with --no-healthcheck.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python3", "-c", "import os, urllib.request as u; p = os.environ.get; u.urlopen(f'http://127.0.0.1:{p(\"ECSHOP_PORT\") or p(\"PORT\") or 8000}/health/live', timeout=2)"]
ENTRYPOINT ["ecshop"]
CMD ["up"]
