"""What Windlass costs, beside the floor below it and the tools that people would use instead."""
