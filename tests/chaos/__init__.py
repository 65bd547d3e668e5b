"""Whether Airlock loses an event, fights, or writes twice, whatever breaks and whenever it dies."""
