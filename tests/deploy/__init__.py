"""What is deployed, compared with what the code says."""
