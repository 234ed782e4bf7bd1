"""Everything at once: the load around now over all batches, what needs attention, who works.

The number of statements depends neither on the batches nor on the executions. What is counted is
what the page is about: the hour behind and the hour ahead, and the errors of a day.
"""
