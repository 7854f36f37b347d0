output "address" {
  description = "What the domain's address record is to name."
  value       = google_compute_global_address.gateway.address
}

output "images" {
  description = "What images are pushed to: the image is ecshop, within it."
  value       = "${google_artifact_registry_repository.images.location}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}"
}

output "docs" {
  description = "Where the files go that `ecshop docs` writes."
  value       = "${google_storage_bucket.docs.url}/docs"
}

output "deployer" {
  description = "The account that deploys."
  value       = google_service_account.of["deployer"].email
}

output "service_urls" {
  description = "Where the services find each other; with push, each one's is its ECSHOP_PUSH_AUDIENCE."
  value       = local.service_urls
}

output "pusher" {
  description = "With push, the ECSHOP_PUSH_EMAIL of all services."
  value       = google_service_account.of["pusher"].email
}
