package PVE::Tools;

# A double of PVE::Tools with the functions that are used here.

use v5.36;

sub file_set_contents($filename, $data, $perm = undef, $force_utf8 = 0) {
    my $new = "$filename.tmp.$$";
    open(my $fh, '>:raw', $new) or die "unable to open file '$new' - $!\n";
    print $fh $data or die "unable to write '$new' - $!\n";
    close($fh) or die "closing file '$new' failed - $!\n";
    rename($new, $filename) or die "close (rename) atomic file '$filename' failed: $!\n";
    return;
}

sub assert_if_modified($digest1, $digest2) {
    die "detected modified configuration - file changed by other user? Try again.\n"
        if $digest1 && $digest2 && $digest1 ne $digest2;
    return;
}

1;
