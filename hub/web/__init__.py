"""The web shows people the hub and answers them: the API, the dashboard and their read model. It only follows logs."""
