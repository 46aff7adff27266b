"""Moving bytes between us and the bots over MQTT. What the bytes mean is `reconciler.protocol`'s business."""
