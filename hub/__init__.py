"""The unbind hub takes in number releases and signed acknowledgements, and shows the coverage gaps."""
