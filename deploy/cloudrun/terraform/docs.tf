# The API docs of the whole shop, in `docs/`; what it does not have is what the gateway has not: 404.
resource "google_storage_bucket" "docs" {
  name                        = "${var.project}-docs"
  location                    = var.region
  uniform_bucket_level_access = true
  force_destroy               = true # `ecshop docs` writes them anew

  depends_on = [google_project_service.used]
}

resource "google_storage_bucket_iam_member" "everybody_reads_docs" {
  bucket = google_storage_bucket.docs.name
  role   = "roles/storage.objectViewer"
  member = "allUsers"
}

resource "google_compute_backend_bucket" "docs" {
  name        = "ecshop-docs"
  bucket_name = google_storage_bucket.docs.name
  enable_cdn  = false
}
