"""An application as users have them: the examples of the manual run it."""
