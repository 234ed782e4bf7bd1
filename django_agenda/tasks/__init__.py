"""What can be run: functions under their dotted paths, and their arguments as JSON."""
