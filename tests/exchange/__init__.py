"""An exchange for tests: a local server that a real Binance connector trades on. See docs/testing-exchange.md."""
