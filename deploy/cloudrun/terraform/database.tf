resource "google_sql_database_instance" "ecshop" {
  name                = "ecshop"
  region              = var.region
  database_version    = "POSTGRES_16"
  deletion_protection = var.deletion_protection

  settings {
    edition                     = "ENTERPRISE"
    tier                        = var.database_tier
    availability_type           = var.database_availability
    disk_autoresize             = true
    deletion_protection_enabled = var.deletion_protection

    ip_configuration {
      ipv4_enabled    = false
      private_network = google_compute_network.ecshop.id
      ssl_mode        = "ENCRYPTED_ONLY"
    }

    backup_configuration {
      enabled                        = true
      start_time                     = "03:00"
      point_in_time_recovery_enabled = true
      transaction_log_retention_days = 7

      backup_retention_settings {
        retained_backups = 14
      }
    }

    database_flags {
      name  = "max_connections"
      value = tostring(var.database_max_connections)
    }
  }

  depends_on = [google_project_service.used, google_service_networking_connection.database]
}

resource "google_sql_database" "ecshop" {
  name     = "ecshop"
  instance = google_sql_database_instance.ecshop.name
}

# In the database's address, where punctuation would have to be quoted.
resource "random_password" "database" {
  length  = 40
  special = false
}

resource "google_sql_user" "ecshop" {
  name            = "ecshop"
  instance        = google_sql_database_instance.ecshop.name
  password        = random_password.database.result
  deletion_policy = "ABANDON" # PostgreSQL does not let go of a user that owns tables
}
