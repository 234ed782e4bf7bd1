"""A demonstration from nothing: private servers, two workers, and a visitor who presses buttons."""
