"""The web pages: server-rendered, without scripts, and with nothing from elsewhere."""
