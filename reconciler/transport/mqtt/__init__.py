"""MQTT in the event loop: asyncio connects, the packets are read and written here and by paho."""
