"""The other end of the wire: takes commands, drives bots through a runner, says what became of them."""
