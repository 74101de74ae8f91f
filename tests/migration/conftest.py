from git_fixtures import own_git_settings, sandbox

__all__ = ["own_git_settings", "sandbox"]
