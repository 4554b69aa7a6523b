"""What runs the networks: OpenVINO and ONNX Runtime behind one protocol."""
