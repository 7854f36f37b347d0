resource "google_artifact_registry_repository" "images" {
  repository_id = "ecshop"
  location      = var.region
  format        = "DOCKER"
  description   = "The image of which all services run."

  depends_on = [google_project_service.used]
}
