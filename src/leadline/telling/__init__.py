"""What every form of a report shares: citation numbers, words of the frame, addresses as shown; pure."""
