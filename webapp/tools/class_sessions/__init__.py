"""Class sessions as pages speak of them: when they are, where they stand, whom they are for, who watches."""
