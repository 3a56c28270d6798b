"""The page in a real browser when something comes between."""

from browsing import show


def test_weights_chosen_while_a_photo_is_on_its_way_are_used_on_it(visit, photo):
    page = visit()
    show(page, photo)
    page.locator("#weights").evaluate("list => list.add(new Option('others', 'others'))")
    held = []
    page.route("**/photos", lambda route: held.append(route))
    page.set_input_files("#file", {"name": "next.jpg", "mimeType": "image/jpeg", "buffer": photo.read_bytes()})
    while not held:
        page.wait_for_timeout(50)
    page.select_option("#weights", "others")
    with page.expect_request(lambda request: request.url.endswith("/queue/join")) as asked:
        held[0].continue_()
    assert '"others"' in asked.value.post_data
    page.wait_for_selector("#photo[alt='The photo: next']")


def test_what_may_go_right_next_time_can_be_tried_again(visit, photo):
    page = visit()
    page.route("**/queue/join", lambda route: route.fulfill(status=503, json={"detail": "full"}), times=1)
    page.set_input_files("#file", photo)
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector("#space:not([hidden])")
    assert not page.get_by_role("alert").is_visible()


def test_a_picture_of_another_page_is_answered(visit):
    page = visit()
    page.evaluate(
        """() => {
        const data = new DataTransfer();
        data.setData('text/uri-list', 'http://example.org/picture.jpg');
        document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
    }"""
    )
    assert "Save the picture and drop its file" in page.get_by_role("alert").inner_text()
    assert not page.get_by_role("button", name="Try again").is_visible()


def test_the_camera_is_off_once_it_is_closed(visit):
    page = visit()
    page.evaluate(
        """() => {
        window.streams = [];
        const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = async (wish) => {
            const one = await open(wish);
            streams.push(one);
            return one;
        };
        document.getElementById('take').click();
        document.getElementById('take').click();
    }"""
    )
    page.get_by_role("button", name="Close").click()
    page.wait_for_timeout(500)
    states = "() => streams.flatMap((stream) => stream.getTracks().map((track) => track.readyState))"
    assert set(page.evaluate(states)) == {"ended"}
