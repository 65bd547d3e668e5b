"""The responses: what is done once about an incident. One module each, found by being here."""
