locals {
  contexts = ["auth", "product", "stock", "order"]
  services = ["auth", "product", "stock", "order", "web"]
  runners  = ["auth", "product", "stock", "order", "web", "worker"]
  accounts = ["auth", "product", "stock", "order", "web", "worker", "pusher", "deployer"]
}

resource "google_service_account" "of" {
  for_each = toset(local.accounts)

  account_id   = "ecshop-${each.key}"
  display_name = "ecshop: ${each.key}"

  depends_on = [google_project_service.used]
}

# On the project, for it makes services that are not there yet; and `admin`, for it opens them to requests without a
# token of Google's: the services check their own.
resource "google_project_iam_member" "deployer_deploys" {
  project = var.project
  role    = "roles/run.admin"
  member  = google_service_account.of["deployer"].member
}

resource "google_service_account_iam_member" "deployer_runs_as" {
  for_each = toset(local.runners)

  service_account_id = google_service_account.of[each.key].name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.of["deployer"].member
}

resource "google_artifact_registry_repository_iam_member" "deployer_pushes_images" {
  location   = google_artifact_registry_repository.images.location
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.of["deployer"].member
}

resource "google_storage_bucket_iam_member" "deployer_writes_docs" {
  bucket = google_storage_bucket.docs.name
  role   = "roles/storage.objectUser"
  member = google_service_account.of["deployer"].member
}
