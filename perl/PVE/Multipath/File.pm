package PVE::Multipath::File;

# Reading of whole files. What is absent is undef, what cannot be read is an error: an unreadable
# file must never be taken for an empty one.

use v5.36;

use Errno qw(ENOENT);

sub read($path) {
    my $fh;
    if (!open($fh, '<:raw', $path)) {
        return undef if $! == ENOENT;
        die "cannot read '$path' - $!\n";
    }
    my $raw = '';
    while (1) {
        my $count = sysread($fh, $raw, 1024 * 1024, length($raw));
        die "cannot read '$path' - $!\n" if !defined($count) && !$!{EINTR};
        last if defined($count) && $count == 0;
    }
    return $raw;
}

sub names($path) {
    my $dh;
    if (!opendir($dh, $path)) {
        return undef if $! == ENOENT;
        die "cannot read directory '$path' - $!\n";
    }
    return [sort grep { $_ ne '.' && $_ ne '..' } readdir($dh)];
}

1;
