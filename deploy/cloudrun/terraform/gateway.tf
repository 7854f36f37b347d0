locals {
  paths = {
    auth    = ["/auth", "/auth/*", "/users", "/users/*", "/.well-known", "/.well-known/*", "/audit/auth", "/audit/auth/*", "/events/auth", "/events/auth/*"]
    product = ["/products", "/products/*", "/categories", "/categories/*", "/audit/product", "/audit/product/*", "/events/product", "/events/product/*"]
    stock   = ["/stock", "/stock/*", "/audit/stock", "/audit/stock/*", "/events/stock", "/events/stock/*"]
    order   = ["/orders", "/orders/*", "/order", "/order/*", "/audit/order", "/audit/order/*", "/events/order", "/events/order/*"]
    web     = ["/", "/shop", "/shop/*", "/console", "/console/*", "/static", "/static/*"]
  }
}

resource "google_compute_region_network_endpoint_group" "of" {
  for_each = toset(local.services)

  name                  = "ecshop-${each.key}"
  region                = var.region
  network_endpoint_type = "SERVERLESS"

  cloud_run {
    service = "ecshop-${each.key}"
  }

  depends_on = [google_project_service.used]
}

resource "google_compute_backend_service" "of" {
  for_each = toset(local.services)

  name                  = "ecshop-${each.key}"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  security_policy       = google_compute_security_policy.gateway.id
  enable_cdn            = false

  backend {
    group = google_compute_region_network_endpoint_group.of[each.key].id
  }
}

resource "google_compute_url_map" "gateway" {
  name            = "ecshop"
  default_service = google_compute_backend_bucket.docs.id

  host_rule {
    hosts        = ["*"]
    path_matcher = "paths"
  }

  path_matcher {
    name            = "paths"
    default_service = google_compute_backend_bucket.docs.id

    dynamic "path_rule" {
      for_each = local.paths

      content {
        paths   = path_rule.value
        service = google_compute_backend_service.of[path_rule.key].id
      }
    }

    path_rule {
      paths   = ["/health/live", "/health/ready"]
      service = google_compute_backend_service.of["order"].id
    }

    path_rule {
      paths   = ["/docs", "/docs/"]
      service = google_compute_backend_bucket.docs.id

      route_action {
        url_rewrite {
          path_prefix_rewrite = "/docs/index.html"
        }
      }
    }

    path_rule {
      paths   = ["/favicon.ico"]
      service = google_compute_backend_bucket.docs.id

      route_action {
        url_rewrite {
          path_prefix_rewrite = "/docs/favicon.svg"
        }
      }
    }
  }
}
