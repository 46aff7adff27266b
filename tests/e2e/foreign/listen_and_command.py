"""What people have today: paho-mqtt 1.6. Prints what it receives; creates and starts NAME."""

import json
import sys

import paho.mqtt.client as mqtt

PORT, NAME = int(sys.argv[1]), sys.argv[2]


def on_connect(client, userdata, flags, rc):
    client.subscribe("hummingbot/status")
    client.subscribe("hummingbot/response")


def on_subscribe(client, userdata, mid, granted):
    if mid == 2:
        config = {"bid_spread": 0.1, "ask_spread": 0.1, "order_amount": 1, "order_refresh_time": 30}
        create = {
            "strategy_name": NAME,
            "strategy_type": "pure_market_making",
            "exchange": "binance",
            "trading_pair": "BTC-USDT",
            "config": config,
        }
        client.publish("hummingbot/strategy/create", json.dumps(create), qos=1)


def on_message(client, userdata, message):
    body = json.loads(message.payload)
    print(json.dumps({"topic": message.topic, "body": body}), flush=True)
    if message.topic == "hummingbot/response" and body["message"].startswith("Strategy created"):
        client.publish("hummingbot/strategy/start", json.dumps({"strategy_name": NAME}), qos=1)


client = mqtt.Client()
client.on_connect = on_connect
client.on_subscribe = on_subscribe
client.on_message = on_message
client.connect("localhost", PORT, 60)
client.loop_forever()
