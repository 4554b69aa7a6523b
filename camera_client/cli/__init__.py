"""The commands of the camera: running one, and the program for a machine that has nothing else of the system."""
