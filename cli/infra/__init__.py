"""infra/generated/: what the deployment needs to know from the code. Run as a module to write it."""
