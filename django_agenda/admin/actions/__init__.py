"""What people may do from the admin: each action is a verb of the models, asked for twice.

A GET shows what would happen to how many, the POST of that page does it, and writes down who did
it and why. The verbs look at every row again when they change it: what a worker, or somebody
else, has taken meanwhile is passed over, and the answer says so.
"""
