"""Function apps that the host's tests run. Each is its own directory, as a deployed app is."""
