"""Pictures out of videos and network cameras, by OpenCV or PyAV; what a decoder says is not believed unseen."""
