variable "project" {
  description = "The project's id."
  type        = string
}

variable "region" {
  description = "Where the services, their database and their images are."
  type        = string
}

variable "domain" {
  description = "The shop's host name, whose address record is to name the output `address`."
  type        = string
}

variable "prefix" {
  description = "What topics and subscriptions begin with: ECSHOP_PUBSUB_PREFIX."
  type        = string
  default     = "ecshop-"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,60}$", var.prefix))
    error_message = "At most 61 small letters, digits and hyphens, with a letter first."
  }
}

variable "push" {
  description = "Whether Pub/Sub pushes events to the services, instead of the worker pulling them."
  type        = bool
  default     = false
}

variable "rate" {
  description = "Requests a second that the gateway lets pass of one client to one service."
  type        = number
  default     = 100
}

variable "database_tier" {
  description = "The machine that the database runs on."
  type        = string
  default     = "db-custom-2-7680"
}

variable "database_availability" {
  description = "REGIONAL has a standby in another zone, ZONAL has none."
  type        = string
  default     = "REGIONAL"

  validation {
    condition     = contains(["REGIONAL", "ZONAL"], var.database_availability)
    error_message = "It is REGIONAL or ZONAL."
  }
}

variable "database_max_connections" {
  description = "Of all processes together: ECSHOP_DATABASE_CONNECTIONS and one more for each database of each."
  type        = number
  default     = 200
}

variable "deletion_protection" {
  description = "Whether the database refuses to be deleted."
  type        = bool
  default     = true
}
