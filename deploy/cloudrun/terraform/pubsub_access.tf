locals {
  pubsub_itself = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
  listeners     = distinct([for one in local.subscriptions : one.listener])

  says = merge([
    for listener in local.listeners : {
      for topic in local.receipts : "${listener} ${topic}" => { listener = listener, topic = topic }
    }
  ]...)
}

resource "google_pubsub_topic_iam_member" "pubsub_forwards_dead_letters" {
  topic  = google_pubsub_topic.of["dead-letters"].name
  role   = "roles/pubsub.publisher"
  member = local.pubsub_itself
}

resource "google_pubsub_subscription_iam_member" "pubsub_takes_dead_letters" {
  for_each = local.subscriptions

  subscription = google_pubsub_subscription.events[each.key].name
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_itself
}

resource "google_pubsub_topic_iam_member" "worker_publishes" {
  for_each = setsubtract(local.topics, ["dead-letters"])

  topic  = google_pubsub_topic.of[each.key].name
  role   = "roles/pubsub.publisher"
  member = google_service_account.of["worker"].member
}

resource "google_pubsub_subscription_iam_member" "worker_hears_events" {
  for_each = local.subscriptions

  subscription = google_pubsub_subscription.events[each.key].name
  role         = "roles/pubsub.subscriber"
  member       = google_service_account.of["worker"].member
}

resource "google_pubsub_subscription_iam_member" "worker_hears_receipts" {
  for_each = toset(local.receipts)

  subscription = google_pubsub_subscription.receipts[each.key].name
  role         = "roles/pubsub.subscriber"
  member       = google_service_account.of["worker"].member
}

# A service that is pushed to says itself what it is done with.
resource "google_pubsub_topic_iam_member" "listener_publishes_receipts" {
  for_each = var.push ? local.says : {}

  topic  = google_pubsub_topic.of[each.value.topic].name
  role   = "roles/pubsub.publisher"
  member = google_service_account.of[each.value.listener].member
}

resource "google_service_account_iam_member" "pubsub_pushes_as" {
  count = var.push ? 1 : 0

  service_account_id = google_service_account.of["pusher"].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local.pubsub_itself
}
