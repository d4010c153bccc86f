package PVE::Multipath::File;

# Whole files. What is absent is undef, what cannot be read is an error: an unreadable file must
# never be taken for an empty one. What is replaced is so at once or not at all. Files that are made
# here have the mode 0644, folders 0755 and lock files 0600, whatever the umask is.

use v5.36;

use Errno qw(EINTR ENOENT EWOULDBLOCK);
use Fcntl qw(F_SETFD LOCK_EX LOCK_NB O_CREAT O_EXCL O_NOFOLLOW O_RDWR O_WRONLY S_ISREG);
use IO::Handle ();
use Time::HiRes ();

use PVE::Multipath::Clock qw(monotonic);

# How long to wait for somebody else's change, in seconds.
our $LOCK_TIMEOUT = 10;

my $FILE_MODE = 0644;

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

# What others have written to a file, or a directory's entries, gets to the disk.
sub sync($path) {
    open(my $fh, '<', $path) or die "cannot open '$path' - $!\n";
    $fh->sync() or die "cannot sync '$path' - $!\n";
    return;
}

# A rename or removal lasts only once the directory is on the disk.
my sub sync_directory($path) {
    return PVE::Multipath::File::sync($path =~ s!/[^/]*\z!!r);
}

my sub write_new($path, $bytes, $attributes) {
    unlink($path) or $! == ENOENT or die "cannot remove '$path' - $!\n";
    sysopen(my $fh, $path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600)
        or die "cannot create '$path' - $!\n";
    binmode($fh);

    my $fail = sub() { die "cannot write '$path' - $!\n" };
    my ($mode, $uid, $gid) = $attributes->@{qw(mode uid gid)};
    # the group may be the one that lets somebody read it; only root can keep the owner
    chown($uid, $gid, $fh) or chown(-1, $gid, $fh) if defined($uid);
    chmod($mode, $fh) or $fail->();
    (print {$fh} $bytes) && $fh->flush() && $fh->sync() && close($fh) or $fail->();
    return;
}

# Owner, group and mode of a file that somebody else has made, but what others than its owner could
# change by it. Those of a link's target say nothing: it belongs to whoever has put it there.
my sub attributes_of($path) {
    my @stat = lstat($path);
    die "cannot read '$path' - $!\n" if !@stat && $! != ENOENT;
    return { mode => $FILE_MODE } if !@stat || !S_ISREG($stat[2]);
    return { mode => $stat[2] & $FILE_MODE, uid => $stat[4], gid => $stat[5] };
}

# What a killed process leaves beside a file that it was about to replace. No program that reads
# whole folders takes it for the file.
my sub unfinished($path) {
    return "$path.tmp";
}

# Readers see what was there before or what is there now, also after a power failure. A link becomes
# a file. Callers have a lock: nobody else replaces the file at the same time. A file that is not ours
# alone keeps its owner, its group, and a mode that allows less: option 'keep'.
sub replace($path, $bytes, %options) {
    my $attributes = $options{keep} ? attributes_of($path) : { mode => $FILE_MODE };

    my $new = unfinished($path);
    my $done = eval {
        write_new($new, $bytes, $attributes);
        rename($new, $path) or die "cannot replace '$path' - $!\n";
        1;
    };
    if (!$done) {
        my $err = $@;
        unlink($new);
        die $err;
    }
    sync_directory($path);
    return;
}

# Nothing happens if there is none.
sub remove($path) {
    if (!unlink($path)) {
        return if $! == ENOENT;
        die "cannot remove '$path' - $!\n";
    }
    sync_directory($path);
    return;
}

# What killed processes left, if they did.
sub remove_unfinished(@paths) {
    unlink(grep { lstat } map { unfinished($_) } @paths);
    return;
}

sub make_directory($path) {
    return if -d $path;
    make_directory($path =~ s!/[^/]*\z!!r) if $path =~ m!/[^/]+/!;
    if (!mkdir($path, 0755)) {
        return if -d $path;
        die "cannot create directory '$path' - $!\n";
    }
    # whatever the umask is
    chmod(0755, $path) or die "cannot change the mode of '$path' - $!\n";
    return;
}

# Calls the code while nobody else does so with the same lock file, which is gone afterwards. Waits
# for others so many seconds; with 0, it leaves the matter to them. Programs that the code runs have the
# lock as well: one that is still at work after a kill keeps it until it has ended.
sub locked($path, $code, $timeout = $LOCK_TIMEOUT) {
    my $deadline = monotonic() + $timeout;

    my $fh;
    while (1) {
        # whoever can open it can keep the lock
        sysopen($fh, $path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600)
            or die "cannot lock '$path' - $!\n";
        if (flock($fh, LOCK_EX | LOCK_NB)) {
            # whoever had it may have removed the file since it was opened
            my @ours = stat($fh);
            my @present = lstat($path);
            next if !@present || "@ours[0, 1]" ne "@present[0, 1]";
            fcntl($fh, F_SETFD, 0) or die "cannot lock '$path' - $!\n";
            last;
        }
        die "cannot lock '$path' - $!\n" if $! != EWOULDBLOCK && $! != EINTR;
        return if !$timeout;
        die "cannot lock '$path' - somebody else has it for more than $timeout seconds\n"
            if monotonic() >= $deadline;
        Time::HiRes::sleep(0.02);
    }

    my @res;
    my $done = eval { @res = $code->(); 1 };
    my $err = $@;
    unlink($path);
    close($fh);

    die $err if !$done;
    return @res;
}

1;
