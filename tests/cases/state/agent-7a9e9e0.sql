-- What an agent of version 7a9e9e0 kept in agent.db.
PRAGMA user_version = 1;
CREATE TABLE strategies (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE answers (key TEXT PRIMARY KEY, at REAL NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE nonces (request_id TEXT PRIMARY KEY, expires_at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE epoch (only INTEGER PRIMARY KEY CHECK (only = 1), highest INTEGER NOT NULL);
INSERT INTO strategies VALUES ('busy', CAST('{"name":"busy","strategy_id":"18","strategy_type":"pure_market_making","exchange":"binance","trading_pair":"BTC-USDT","config":{"bid_spread":0.10,"ask_spread":0.1,"order_amount":0.01,"order_refresh_time":30},"spec_hash":"sha256:095769551a00def1287a7dcdc5496ba714923047ed85c1f8a47a7399b574cea0","state":"starting","wish":"running","doing":"start"}' AS BLOB));
INSERT INTO strategies VALUES ('mm', CAST('{"name":"mm","strategy_id":"17","strategy_type":"pure_market_making","exchange":"binance","trading_pair":"BTC-USDT","config":{"bid_spread":0.10,"ask_spread":0.1,"order_amount":0.01,"order_refresh_time":30},"spec_hash":"sha256:e2b41c323cb8ea3c0d758b0c721ea275fd031c8437800b58c371dcd74aea3521","account":"main","state":"error","message":"stop failed: no answer","conditions":[{"type":"OrdersMayBeOpen","status":true,"reason":"StopFailed","message":""}],"echo":{"owner":"o1","commit":"c0ffee","epoch":3}}' AS BLOB));
INSERT INTO answers VALUES ('k1', 1795410000.0, CAST('{"op":"create","name":"mm","reply":{"status":"success","message":"Strategy created successfully","data":{"strategy_name":"mm","strategy_id":"17"},"meta":{"op":"create","strategy_name":"mm","spec_hash":"sha256:e2b41c323cb8ea3c0d758b0c721ea275fd031c8437800b58c371dcd74aea3521"}},"at":1795410000.0}' AS BLOB));
INSERT INTO nonces VALUES ('r1', 1795413600.0);
INSERT INTO epoch VALUES (1, 3);
