"""What of an environment no running application reads, and the build step that takes it out."""
