"""The list of schedules, the page of one, and the forms that make and change them."""
