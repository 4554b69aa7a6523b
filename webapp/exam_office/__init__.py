"""What the exam office gets: a line for each student and course, as of a day."""
