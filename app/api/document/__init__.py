"""The OpenAPI document: what the framework derives from the handlers, completed by what only people can say."""
