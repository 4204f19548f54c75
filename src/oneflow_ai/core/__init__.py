"""The words of the gateway: values, failures and ports that every other part speaks in."""
