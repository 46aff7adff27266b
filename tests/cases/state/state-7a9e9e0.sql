-- What a reconciler of version 7a9e9e0 kept in state.db.
CREATE TABLE rows (
         kind TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (kind, name)
       ) WITHOUT ROWID;
CREATE TABLE wishes (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
PRAGMA application_id=1919247215;
PRAGMA user_version=1;
INSERT INTO rows VALUES ('fact', 'applied_by',
  CAST('f19da8f33e6d2ec9' AS BLOB));
INSERT INTO rows VALUES ('fact', 'controller_id',
  CAST('7d512d7719ce34d5897eaca6b33bf370' AS BLOB));
INSERT INTO rows VALUES ('fact', 'epoch',
  CAST('5000000000001' AS BLOB));
INSERT INTO rows VALUES ('fact', 'last_good',
  CAST('{"commit":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","ref":"main","held":[["eu","held"]],"unsure":true}' AS BLOB));
INSERT INTO rows VALUES ('fact', 'root:default',
  CAST('hummingbot' AS BLOB));
INSERT INTO rows VALUES ('fact', 'root:eu',
  CAST('desk/eu' AS BLOB));
INSERT INTO rows VALUES ('inventory', 'default/maker',
  CAST('{"target":"default","name":"maker","strategy_type":"pure_market_making","exchange":"binance","trading_pair":"BTC-USDT","config":{"bid_spread":0.10,"ask_spread":1,"order_amount":1E-7,"order_levels":[1,2.50],"hanging":true,"note":null},"spec_hash":"sha256:1111111111111111111111111111111111111111111111111111111111111111","account":"main","commit":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","wave":2,"protect":true,"retry":false,"reached":"running","claims":[]}' AS BLOB));
INSERT INTO rows VALUES ('inventory', 'eu/maker',
  CAST('{"target":"eu","name":"maker","strategy_type":"pure_market_making","exchange":"kucoin","trading_pair":"ETH-USDT","config":{},"spec_hash":"sha256:2222222222222222222222222222222222222222222222222222222222222222","account":"default","commit":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","wave":0,"protect":false,"retry":true,"reached":null,"claims":[["pure_market_making","kucoin","ETH-USDT"],["pure_market_making","kucoin","ETH-USDC"]]}' AS BLOB));
INSERT INTO rows VALUES ('outbox', 'default/maker:update',
  CAST('{"spec_hash":"sha256:3333333333333333333333333333333333333333333333333333333333333333","idempotency_key":"3eee33940be0df9adb7eda2100000002"}' AS BLOB));
INSERT INTO rows VALUES ('outbox', 'eu/maker:create',
  CAST('{"spec_hash":"sha256:2222222222222222222222222222222222222222222222222222222222222222","idempotency_key":"3eee33940be0df9adb7eda2100000001"}' AS BLOB));
INSERT INTO rows VALUES ('told', 'blocked|default/maker:NOT_OURS',
  CAST('' AS BLOB));
INSERT INTO rows VALUES ('told', 'failed|eu/maker:create:BUSY',
  CAST('' AS BLOB));
INSERT INTO rows VALUES ('told', 'source_lost|git',
  CAST('' AS BLOB));
INSERT INTO wishes VALUES ('default/maker',
  CAST('{"name":"maker","strategy_type":"pure_market_making","exchange":"binance","trading_pair":"BTC-USDT","config":{"bid_spread":0.10,"order_levels":[1,2.50]},"state":"paused","target":"default","account":"main","labels":{"team":"mm"},"description":"quotes","owner":"ann","wave":2,"protect":true,"suspend":{"reason":"holiday","until":"2026-12-24T00:00:00Z"},"ignore_drift":["config.bid_spread"],"adopt":true,"location":{"file":"strategies/maker.yaml","line":3,"column":1}}' AS BLOB));
INSERT INTO wishes VALUES ('eu/maker',
  CAST('{"name":"maker","strategy_type":"pure_market_making","exchange":"kucoin","trading_pair":"ETH-USDT","config":{},"state":"running","target":"eu","account":"default","labels":{},"description":"","owner":"","wave":0,"protect":false,"suspend":null,"ignore_drift":[],"adopt":false,"location":{"file":"strategies/eu.yaml","line":0,"column":0}}' AS BLOB));
