// What people have today: the npm package mqtt. Prints what it hears; creates and starts NAME.
import { createRequire } from "node:module";

const [folder, port, name] = process.argv.slice(2);
const mqtt = createRequire(`${folder}/package.json`)("mqtt");
const client = mqtt.connect(`mqtt://localhost:${port}`);

client.on("connect", () => {
  client.subscribe(["hummingbot/status", "hummingbot/response"], () => {
    const config = { bid_spread: 0.1, ask_spread: 0.1, order_amount: 1, order_refresh_time: 30 };
    const create = {
      strategy_name: name,
      strategy_type: "pure_market_making",
      exchange: "binance",
      trading_pair: "BTC-USDT",
      config,
    };
    client.publish("hummingbot/strategy/create", JSON.stringify(create), { qos: 1 });
  });
});

client.on("message", (topic, payload) => {
  const body = JSON.parse(payload.toString());
  console.log(JSON.stringify({ topic, body }));
  if (topic === "hummingbot/response" && body.message.startsWith("Strategy created")) {
    client.publish("hummingbot/strategy/start", JSON.stringify({ strategy_name: name }), { qos: 1 });
  }
});
