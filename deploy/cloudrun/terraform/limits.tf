locals {
  # Of services and operators. A service takes slashes that are double or last for one that is not there.
  closed = "^/+(?:internal(?:/|$)|metrics/*$|auth/+token/*$)"

  interval = 10 # seconds, the shortest that there is
}

resource "google_compute_security_policy" "gateway" {
  name = "ecshop"

  rule {
    description = "nothing of this is for the public"
    priority    = 100
    action      = "deny(404)"

    match {
      expr {
        expression = "request.path.urlDecode().matches('${local.closed}')"
      }
    }
  }

  rule {
    description = "one client asks too often"
    priority    = 200
    action      = "throttle"

    match {
      versioned_expr = "SRC_IPS_V1"

      config {
        src_ip_ranges = ["*"]
      }
    }

    rate_limit_options {
      conform_action = "allow"
      exceed_action  = "deny(429)"
      enforce_on_key = "IP"

      rate_limit_threshold {
        count        = var.rate * local.interval
        interval_sec = local.interval
      }
    }
  }

  rule {
    description = "everything else"
    priority    = 2147483647
    action      = "allow"

    match {
      versioned_expr = "SRC_IPS_V1"

      config {
        src_ip_ranges = ["*"]
      }
    }
  }

  depends_on = [google_project_service.used]
}
