locals {
  readers = {
    "ecshop-database-url"   = ["auth", "product", "stock", "order", "worker"]
    "ecshop-client-secret"  = ["order"]
    "ecshop-client-secrets" = ["auth"]
  }

  secrets = {
    "ecshop-database-url"   = "postgresql+psycopg://${google_sql_user.ecshop.name}:${random_password.database.result}@${google_sql_database_instance.ecshop.private_ip_address}/${google_sql_database.ecshop.name}?schema={context}&sslmode=require"
    "ecshop-client-secret"  = random_password.client.result
    "ecshop-client-secrets" = "order:${random_password.client.result}"
  }

  reads = merge([
    for secret, readers in local.readers : {
      for reader in readers : "${reader} ${secret}" => { secret = secret, reader = reader }
    }
  ]...)
}

resource "random_password" "client" {
  length  = 40
  special = false
}

resource "google_secret_manager_secret" "of" {
  for_each = local.readers

  secret_id = each.key

  replication {
    auto {}
  }

  depends_on = [google_project_service.used]
}

resource "google_secret_manager_secret_version" "of" {
  for_each = local.readers

  secret      = google_secret_manager_secret.of[each.key].id
  secret_data = local.secrets[each.key]
}

resource "google_secret_manager_secret_iam_member" "reads" {
  for_each = local.reads

  secret_id = google_secret_manager_secret.of[each.value.secret].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.of[each.value.reader].member
}
