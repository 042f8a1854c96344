"""MCP: search for agents, at `/mcp` of the service and over standard input and output."""
