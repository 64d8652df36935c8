"""What people see and ask: the API, the dashboard, clearance, and the read model behind them. Followers only."""
