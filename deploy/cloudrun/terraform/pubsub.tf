# What `ecshop bus create` would make, by the same names but for the prefix.
locals {
  topics = [
    "order-cancelled",
    "order-confirmed",
    "product-deleted",
    "stock-depleted",
    "stock-replenished",
    "stock-reservation-expired",
    "receipts-order",
    "receipts-product",
    "receipts-stock",
    "dead-letters",
  ]

  subscriptions = {
    "order-cancelled-stock"           = { topic = "order-cancelled", listener = "stock" }
    "order-confirmed-stock"           = { topic = "order-confirmed", listener = "stock" }
    "product-deleted-stock"           = { topic = "product-deleted", listener = "stock" }
    "stock-depleted-product"          = { topic = "stock-depleted", listener = "product" }
    "stock-replenished-product"       = { topic = "stock-replenished", listener = "product" }
    "stock-reservation-expired-order" = { topic = "stock-reservation-expired", listener = "order" }
  }

  receipts = ["receipts-order", "receipts-product", "receipts-stock"]

  service_urls = {
    for context in local.contexts : context => "https://ecshop-${context}-${data.google_project.this.number}.${var.region}.run.app"
  }
}

resource "google_pubsub_topic" "of" {
  for_each = toset(local.topics)

  name = "${var.prefix}${each.key}"

  depends_on = [google_project_service.used]
}

# A listener that pulls holds what has failed for as long as it wants to, and lets go of the rest at once when it ends:
# a retry policy would have both wait longer. Who is pushed to can only refuse.
resource "google_pubsub_subscription" "events" {
  for_each = local.subscriptions

  name                       = "${var.prefix}${each.key}"
  topic                      = google_pubsub_topic.of[each.value.topic].id
  ack_deadline_seconds       = 10
  message_retention_duration = "604800s"

  expiration_policy {
    ttl = ""
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.of["dead-letters"].id
    max_delivery_attempts = 100
  }

  dynamic "push_config" {
    for_each = var.push ? [local.service_urls[each.value.listener]] : []

    content {
      push_endpoint = "${push_config.value}/internal/events"

      oidc_token {
        service_account_email = google_service_account.of["pusher"].email
        audience              = push_config.value
      }
    }
  }

  dynamic "retry_policy" {
    for_each = var.push ? [true] : []

    content {
      minimum_backoff = "1s"
      maximum_backoff = "600s"
    }
  }
}

resource "google_pubsub_subscription" "receipts" {
  for_each = toset(local.receipts)

  name                       = "${var.prefix}${each.key}"
  topic                      = google_pubsub_topic.of[each.key].id
  ack_deadline_seconds       = 20
  message_retention_duration = "604800s"

  expiration_policy {
    ttl = ""
  }
}

resource "google_pubsub_subscription" "dead_letters" {
  name                       = "${var.prefix}dead-letters"
  topic                      = google_pubsub_topic.of["dead-letters"].id
  ack_deadline_seconds       = 10
  message_retention_duration = "604800s"

  expiration_policy {
    ttl = ""
  }
}
