resource "google_compute_network" "ecshop" {
  name                    = "ecshop"
  auto_create_subnetworks = false

  depends_on = [google_project_service.used]
}

# Each instance has an address of it, and for some minutes after its end.
resource "google_compute_subnetwork" "ecshop" {
  name                     = "ecshop"
  region                   = var.region
  network                  = google_compute_network.ecshop.id
  ip_cidr_range            = "10.8.0.0/22"
  private_ip_google_access = true
}

resource "google_compute_global_address" "database" {
  name          = "ecshop-database"
  purpose       = "VPC_PEERING"
  address_type  = "INTERNAL"
  prefix_length = 20
  network       = google_compute_network.ecshop.id
}

resource "google_service_networking_connection" "database" {
  network                 = google_compute_network.ecshop.id
  service                 = "servicenetworking.googleapis.com"
  reserved_peering_ranges = [google_compute_global_address.database.name]
}
