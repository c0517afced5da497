"""Built-in fake phones, with which a newcomer sees a call before owning a phone."""
