"""Tell when things happen: values and arithmetic that are told the time and never ask."""
